import { join } from 'node:path';
import { importFromRoot, PROJECT_ROOT } from './project-root.js';

type Found = { readonly found: string } | { readonly missing: string };

/** What is used of scripts/broker/java-kafka.mjs. */
interface JavaKafka {
  readonly findJava: (env: NodeJS.ProcessEnv) => Promise<Found>;
  readonly findJars: (env: NodeJS.ProcessEnv, log: (line: string) => void) => Promise<Found>;
}

/** Small and quick to start: these programs live for a minute, beside what is measured. */
const JVM_OPTIONS = ['-Xmx192m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.awt.headless=true'];

/**
 * The command line that runs a Java program of ours (apps/verifier/java) with Kafka's own client. Java compiles it as it starts.
 * @throws Error that says what is missing: a Java 17, or a way to Kafka's jars
 */
export async function javaCommand(program: 'Witness' | 'Feeder', args: readonly string[]): Promise<[string, ...string[]]> {
  return javaTool(join(PROJECT_ROOT, 'apps', 'verifier', 'java', `${program}.java`), args);
}

/** The command line that runs one of Kafka's own tools, by the name of its class. @throws Error that says what is missing */
export async function javaTool(main: string, args: readonly string[]): Promise<[string, ...string[]]> {
  const { findJava, findJars } = await importFromRoot<JavaKafka>('scripts/broker/java-kafka.mjs');
  const need = (found: Found): string => {
    if ('found' in found) return found.found;
    throw new Error(
      `The verifier reads and writes with Kafka's Java client, and cannot: ${found.missing}. ` +
        'It needs a JDK of version 17 or later, and once Maven.',
    );
  };
  const java = need(await findJava(process.env));
  const jars = need(await findJars(process.env, () => undefined));
  return [java, ...JVM_OPTIONS, '-cp', join(jars, '*'), main, ...args];
}
