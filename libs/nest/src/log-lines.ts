/** What is needed of Nest's Logger. */
export interface LogLines {
  log(message: string): void;
  warn(message: string): void;
  error(message: string, stack?: string): void;
  debug(message: string): void;
}
