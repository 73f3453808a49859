import { describe, expect, it } from '@jest/globals';
import { loadBinding } from './rocksdb-binding.js';

describe('the native part of the rocksdb backend', () => {
  it('says on a platform that it is not built for what platform that is, and the way out', () => {
    const fail = (): never => {
      throw new Error('No native build was found for platform=win32 arch=x64\n    loaded from: /node_modules');
    };
    const platform = `${process.platform}-${process.arch}`;
    expect(() => loadBinding(fail)).toThrow(new RegExp(`did not load on ${platform}.*No native build was found`));
    expect(() => loadBinding(fail)).toThrow(/Use the memory state backend .*STATE_BACKEND_UNAVAILABLE/);
    expect(() => loadBinding(fail)).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });

  it('has every function that the store calls', () => {
    const binding = loadBinding();
    const names = ['db_init', 'db_open', 'db_close', 'db_get_property', 'db_get_many_sync', 'batch_init', 'batch_put', 'batch_del'];
    for (const name of [...names, 'batch_clear', 'batch_write', 'iterator_init', 'iterator_nextv_sync', 'iterator_close']) {
      expect([name, typeof binding[name as keyof typeof binding]]).toEqual([name, 'function']);
    }
  });
});
