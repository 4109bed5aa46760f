// The text of one JSON string that the scanner has already accepted.
// Never validates: given other bytes than a scanned string, what it returns or throws means nothing.

/**
 * Decodes the string whose opening quote is at `start` and whose closing quote ends at `end`. The result may hold
 * U+0000 and lone surrogates: both can be escaped in JSON, and PostgreSQL's `text` takes neither.
 */
export function unescapedString(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString("utf8", start + 1, end - 1);
  return text.includes("\\") ? (JSON.parse(`"${text}"`) as string) : text;
}
