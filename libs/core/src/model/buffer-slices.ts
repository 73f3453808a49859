// Node's Buffer has had these since its beginnings; @types/node leaves them out. They decode a range without making a view of it first.
declare global {
  interface Buffer {
    utf8Slice(start: number, end: number): string;
    latin1Slice(start: number, end: number): string;
  }
}
export {};
