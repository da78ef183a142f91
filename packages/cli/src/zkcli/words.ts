/**
 * A typed line, split into words: blanks separate them, and a word that begins with a quote ends at the same quote, blanks and
 * all, without the quotes. There are no escapes; a quote within a word is a character of it, and one that is never closed is left out.
 */
export function splitLine(line: string): string[] {
  const words: string[] = [];
  let at = 0;
  while (at < line.length) {
    const char = line[at] as string;
    if (isBlank(char)) {
      at++;
      continue;
    }
    if (char === '"' || char === "'") {
      const end = line.indexOf(char, at + 1);
      if (end >= 0) words.push(line.slice(at + 1, end));
      at = (end < 0 ? at : end) + 1;
      continue;
    }
    const start = at;
    while (at < line.length && !isBlank(line[at] as string)) at++;
    words.push(line.slice(start, at));
  }
  return words;
}

function isBlank(char: string): boolean {
  return char === ' ' || (char >= '\t' && char <= '\r');
}
