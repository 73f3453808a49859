import { expect, it } from '@jest/globals';
import { type Codec, codec, type JobDefinition, listState, KeyedMap, type KeyedContext, topic, utf8 } from '@weir/core';
import { JobTestDriver } from '@weir/testing';
import { expectShownBy } from './docs-page.spec-d.js';

interface Registry {
  /** The fields' names of a schema. */
  fieldsOf(subject: string): Promise<readonly string[]>;
}
type Row = Readonly<Record<string, string>>;

// --- the example ---
/** Rows whose field names are in a schema registry: the record has the values alone. */
function rowCodec(registry: Registry, subject: string): Codec<Row> {
  let fields: readonly string[] = [];
  return codec<Row>({
    id: `row-${subject}`,
    prepare: async () => {
      fields = await registry.fieldsOf(subject);
    },
    encode: (row) => Buffer.from(fields.map((field) => row[field] ?? '').join('\t')),
    decode: (bytes) => {
      const values = bytes.toString('utf8').split('\t');
      return Object.fromEntries(fields.map((field, i) => [field, values[i] ?? '']));
    },
  });
}
// --- its end ---

class Remember extends KeyedMap<string, Row, string> {
  constructor(private readonly row: Codec<Row>) {
    super();
  }
  #rows!: { add(row: Row): void; get(): Row[] };

  override open(context: KeyedContext<string>): void {
    this.#rows = context.state(listState('rows', this.row));
  }

  override map(row: Row): string {
    this.#rows.add(row);
    return JSON.stringify(this.#rows.get());
  }
}

it('The example of the codecs page looks its schema up before the first record, of every codec that a job has, at every start', async () => {
  const asked: string[] = [];
  const registry: Registry = {
    fieldsOf: async (subject) => {
      asked.push(subject);
      return ['id', 'city'];
    },
  };
  const input = topic('input', { key: utf8, value: rowCodec(registry, 'input') });
  const output = topic('output', { key: utf8, value: utf8 });
  const job: JobDefinition = {
    define: (streams) =>
      streams
        .source('input', input)
        .keyBy(utf8, (row) => row['id']!, { alreadyPartitioned: { partitioner: 'murmur2' } })
        .map('remember', () => new Remember(rowCodec(registry, 'state')))
        .sink('output', output),
  };
  const driver = await JobTestDriver.start(job, { topics: { input: 1, output: 1 }, outputs: ['output'] });
  expect(asked.sort()).toEqual(['input', 'state']);
  driver.pipe(input, 'a', { id: 'a', city: 'Bern' });
  await driver.checkpoint();
  await driver.crash();
  await driver.recover();
  expect(asked).toHaveLength(4);
  driver.pipe(input, 'a', { id: 'a', city: 'Genf' });
  await driver.checkpoint();
  const [bern, genf] = [{ id: 'a', city: 'Bern' }, { id: 'a', city: 'Genf' }];
  expect(driver.read(output).map(({ value }) => JSON.parse(value!) as unknown)).toEqual([[bern], [bern, genf]]);
  expectShownBy('codecs', import.meta.url);
});

it('A look-up that fails fails the task, which tries again by its restart strategy', async () => {
  let left = 3;
  const flaky: Codec<string> = {
    ...utf8,
    prepare: async () => {
      if (left-- > 0) throw new Error('the registry is away');
    },
  };
  const input = topic('input', { key: utf8, value: flaky });
  const output = topic('output', { key: utf8, value: utf8 });
  const job: JobDefinition = { define: (streams) => streams.source('input', input).sink('output', output) };
  const driver = await JobTestDriver.start(job, { topics: { input: 1, output: 1 }, outputs: ['output'] });
  driver.pipe(input, 'a', 'text');
  await driver.checkpoint();
  expect(driver.read(output).map(({ value }) => value)).toEqual(['text']);
  expect(driver.telemetry.of('task-failed').map(({ error }) => error.message)).toEqual(Array(3).fill('the registry is away'));
});
