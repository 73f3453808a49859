import { describeValue } from './describe-value.js';

const MAX_CAUSES = 8;

/** The messages of an error and its causes in one line, outermost first. */
export function causeChain(thrown: unknown): string {
  const messages: string[] = [];
  const seen = new Set<unknown>();
  let at: unknown = thrown;
  while (at !== undefined && at !== null && !seen.has(at) && messages.length < MAX_CAUSES) {
    seen.add(at);
    messages.push(at instanceof Error ? `${at.name === 'WeirError' ? '' : `${at.name}: `}${at.message}` : describeValue(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return oneLine(messages.join(' Caused by: '));
}

/** Control characters as escapes, so that what came from outside can neither start a new line in a log nor drive a terminal. */
export function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) =>
    character === '\n' ? '\\n' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
