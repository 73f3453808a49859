import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { bytes, json, topic, utf8, valueState } from '@weir/core';
import { StreamHandler } from './stream-handler.decorator.js';

const OUT = topic('out', { key: utf8, value: json<string>() });
const COUNT = valueState('count', json<number>());
const form = { key: utf8, value: json<string>(), to: OUT };

describe('@StreamHandler', () => {
  it.each<[string, object, RegExp]>([
    ['a key that is no codec', { key: 'utf8' }, /key of @StreamHandler on Sample\.on takes a codec.*"utf8" came/],
    ['no value', { value: undefined }, /value of @StreamHandler on Sample\.on takes a codec.*nothing came/],
    ['a state that is a name', { state: ['last'] }, /state of @StreamHandler.*a list of state descriptors, and a list of 1 came/],
    ['an unknown partitioner', { partitioner: 'round-robin' }, /partitioner of @StreamHandler.*auto, murmur2, crc32 or a function/],
    ['a topic that is a name', { to: 'out' }, /to of @StreamHandler.*takes what topic\(name/],
    ['a start that is an offset', { start: 5 }, /start of @StreamHandler.*earliest or latest/],
    ['an empty name', { name: '' }, /name of @StreamHandler.*not empty/],
    ['retries without end', { onBadRecord: { policy: 'skip', retries: {} } }, /onBadRecord of @StreamHandler.*takes fail, skip, /],
    ['an option that does not exist', { topic: 'x' }, /options of @StreamHandler.*only key, value, .*"topic" came/],
  ])('refuses %s when the class is declared', (_, wrong, message) => {
    const declare = (): void => {
      class Sample {
        @StreamHandler({ ...form, ...wrong })
        on(value: string): string {
          return value;
        }
      }
      void Sample;
    };
    expect(declare).toThrow(message);
  });

  it('takes results of the type of its topic alone', () => {
    class Typed {
      @StreamHandler(form)
      one(): string {
        return 'x';
      }

      @StreamHandler(form)
      several(): readonly string[] {
        return ['x'];
      }

      @StreamHandler(form)
      maybe(): string | undefined {
        return undefined;
      }

      // @ts-expect-error -- a number is no text
      @StreamHandler(form)
      wrong(): number {
        return 5;
      }

      // @ts-expect-error -- null would be a tombstone, and the topic's values are texts
      @StreamHandler(form)
      nothing(): string | null {
        return null;
      }

      // @ts-expect-error -- nothing names a topic for it
      @StreamHandler({ key: utf8, value: utf8, state: [COUNT] })
      silent(): string {
        return 'x';
      }

      // @ts-expect-error -- the topic has other keys
      @StreamHandler({ key: bytes, value: utf8, to: OUT })
      keys(): string {
        return 'x';
      }
    }
    expect(new Typed().one()).toBe('x');
  });
});
