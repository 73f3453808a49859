import { describe, expect, it } from '@jest/globals';
import { accessOf, isLoopback } from './remote-access.js';

const TOKEN = 'a-token-of-enough-characters';
const from = (remoteAddress: string | undefined, headers: Record<string, string> = {}) => ({ remoteAddress, headers });

describe('who may read', () => {
  it.each(['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1', '::FFFF:127.0.0.1'])('takes %s for loopback', (address) => {
    expect(isLoopback(address)).toBe(true);
    expect(accessOf(from(address), undefined)).toBe('granted');
  });

  it.each(['10.0.0.1', '128.0.0.1', '::2', '::ffff:10.0.0.1', '127.0.0.1.evil.example', '127.0.0', '', undefined])(
    'does not take %s for loopback',
    (address) => {
      expect(isLoopback(address)).toBe(false);
      expect(accessOf(from(address), undefined)).toBe('loopback-only');
    },
  );

  it('asks everyone else for the token, and takes nothing but it', () => {
    expect(accessOf(from('10.0.0.1'), TOKEN)).toBe('token-missing');
    expect(accessOf(from('10.0.0.1', { authorization: `Bearer ${TOKEN}` }), TOKEN)).toBe('granted');
    expect(accessOf(from('10.0.0.1', { authorization: `bearer  ${TOKEN} ` }), TOKEN)).toBe('granted');
    for (const wrong of [`Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, `Basic ${TOKEN}`, 'Bearer', 'Bearer ', TOKEN]) {
      expect(accessOf(from('10.0.0.1', { authorization: wrong }), TOKEN)).toBe('token-wrong');
    }
  });

  it('does not believe a header that claims loopback', () => {
    for (const name of ['x-forwarded-for', 'forwarded', 'x-real-ip']) {
      expect(accessOf(from('10.0.0.1', { [name]: '127.0.0.1' }), undefined)).toBe('loopback-only');
    }
  });

  it('takes a request that a proxy on loopback passed on for one from elsewhere', () => {
    for (const name of ['x-forwarded-for', 'forwarded', 'x-real-ip']) {
      expect(accessOf(from('127.0.0.1', { [name]: '127.0.0.1' }), TOKEN)).toBe('token-missing');
    }
  });
});
