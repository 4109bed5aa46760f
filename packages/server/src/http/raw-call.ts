// One raw request as its handler sees it, whichever way it came: through Fastify, or past it (past-fastify.ts).
// Must give the response away exactly once.
import type { IncomingHttpHeaders, ServerResponse } from "node:http";

export interface RawCall {
  readonly headers: IncomingHttpHeaders;
  readonly requestId: string;
  /** The response, to be answered at once. Called once. */
  begin(): ServerResponse;
  /** Answers with what a thrown error becomes for the client; does nothing when an answer has begun. */
  fail(error: unknown): void;
}
