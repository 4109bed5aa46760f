// A request that somebody captured, as text: request line, headers, empty line, body, byte for byte. Reads what tools
// like `nc`, tcpdump's "follow" and web frameworks' dumps write. Pure; it judges nothing.

export interface CapturedRequest {
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export type Captured =
  | { readonly ok: true; readonly request: CapturedRequest }
  | { readonly ok: false; readonly message: string };

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const REQUEST_LINE = /^[A-Z]+ \S+(?: HTTP\/[\d.]+)?$/;

/** A whole request in one piece. */
export function readCaptured(bytes: Buffer): Captured {
  const end = endOfHeaders(bytes);
  if (end === null) {
    return { ok: false, message: "There is no empty line between the headers and the body." };
  }
  const lines = bytes.toString("latin1", 0, end.headersEnd).split(/\r?\n/);
  const headers = readHeaders(REQUEST_LINE.test(lines[0] ?? "") ? lines.slice(1) : lines);
  if (!headers.ok) return headers;
  const body = bytes.subarray(end.bodyStart);
  const length = headers.headers["content-length"];
  // Editors and `echo` add a line feed at the end of a file: the declared length knows better.
  const isLonger = length !== undefined && /^\d+$/.test(length) && Number(length) < body.length;
  return {
    ok: true,
    request: { headers: headers.headers, body: isLonger ? body.subarray(0, Number(length)) : body },
  };
}

/** Headers alone, one on each line: `Name: value`. */
export function readHeaders(
  lines: readonly string[],
): { readonly ok: true; readonly headers: Record<string, string> } | { readonly ok: false; readonly message: string } {
  const headers: Record<string, string> = {};
  for (const [index, line] of lines.entries()) {
    if (line.trim() === "" || REQUEST_LINE.test(line)) continue;
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*(.*?)\s*$/.exec(line);
    if (match === null) return { ok: false, message: `Header line ${index + 1} is not of the form "Name: value".` };
    headers[(match[1] ?? "").toLowerCase()] = match[2] ?? "";
  }
  return { ok: true, headers };
}

function endOfHeaders(bytes: Buffer): { headersEnd: number; bodyStart: number } | null {
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) {
    if (bytes[at + 1] === LINE_FEED) return { headersEnd: at, bodyStart: at + 2 };
    if (bytes[at + 1] === CARRIAGE_RETURN && bytes[at + 2] === LINE_FEED) return { headersEnd: at, bodyStart: at + 3 };
  }
  return null;
}
