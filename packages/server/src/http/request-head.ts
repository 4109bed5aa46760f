// What is refused by a request's headers alone, before a byte of its body is read.
// Must read a content type strictly: loose readings have let bodies past validation elsewhere (CVE-2025-32442).
import type { IncomingHttpHeaders } from "node:http";
import { type Failure, failure } from "./answer.ts";

/** One media type, optionally `; charset=utf-8` and nothing else. */
const MEDIA_TYPE =
  /^[ \t]*([a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+)(?:[ \t]*;[ \t]*charset[ \t]*=[ \t]*(?:"utf-8"|utf-8))?[ \t]*$/;

/**
 * @param contentTypes media types that the route takes, lower case
 * @returns a failure for a body in another type, charset or with a content encoding; null when there is no body
 */
export function refusedByHead(headers: IncomingHttpHeaders, contentTypes: readonly string[]): Failure | null {
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding.trim().toLowerCase() !== "identity") {
    return failure(
      "UNSUPPORTED_MEDIA_TYPE",
      `Content-Encoding ${shown(encoding)} is not supported: send the body plain.`,
    );
  }
  if (!mayHaveBody(headers)) return null;
  const type = headers["content-type"];
  if (type === undefined) {
    return failure("UNSUPPORTED_MEDIA_TYPE", `The body has no Content-Type: send ${contentTypes.join(" or ")}.`);
  }
  // Almost everybody sends exactly this.
  if (type === contentTypes[0]) return null;
  const media = MEDIA_TYPE.exec(type.toLowerCase())?.[1];
  if (media !== undefined && contentTypes.includes(media)) return null;
  return failure(
    "UNSUPPORTED_MEDIA_TYPE",
    `Content-Type ${shown(type)} is not supported here: send ${contentTypes.join(" or ")}, in UTF-8.`,
  );
}

/** True unless the head says that no body follows. */
export function mayHaveBody(headers: IncomingHttpHeaders): boolean {
  if (headers["transfer-encoding"] !== undefined) return true;
  const length = headers["content-length"];
  return length !== undefined && length !== "0";
}

/** The declared length in bytes, or -1 for a chunked body. */
export function declaredLength(headers: IncomingHttpHeaders): number {
  if (headers["transfer-encoding"] !== undefined) return -1;
  return headers["content-length"] === undefined ? 0 : Number(headers["content-length"]);
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
