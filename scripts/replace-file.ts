/** Puts a file into place as a whole: servers start from these files while a build makes them anew. */
import { renameSync, writeFileSync } from 'node:fs';

export function replaceFile(file: string, content: string | Uint8Array): void {
  const whole = `${file}.${process.pid}`;
  writeFileSync(whole, content);
  renameSync(whole, file);
}
