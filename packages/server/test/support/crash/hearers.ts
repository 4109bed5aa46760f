// The receivers of a crash run: one HTTP server, a path for each webhook, everything that arrives goes to the ledger.
// It verifies signatures by itself, with nothing of the product, and must write an entry before it answers.
import { createHash, createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Ledger } from "./ledger.ts";

/** What is known of a request when its answer is decided. */
export interface Heard {
  readonly webhook: string;
  readonly deliveryId: string;
  readonly eventId: string;
  readonly attempt: number;
}

/** A status, `hang` for silence, or a redirect to that URL. */
export type HearerAnswer = number | "hang" | { readonly redirectTo: string };

export interface Hearers {
  /** `http://127.0.0.1:port` */
  readonly origin: string;
  /** Decides the answers from now on; may wait. 200 for everything at first. */
  onRequest(decide: (heard: Heard) => HearerAnswer | Promise<HearerAnswer>): void;
  close(): Promise<void>;
}

/** Starts the receivers. `secretOf` knows a webhook's secret by its name; it has no `whsec_` form. */
export async function startHearers(
  ledger: Ledger,
  secretOf: (webhook: string) => string | undefined,
): Promise<Hearers> {
  let decide: (heard: Heard) => HearerAnswer | Promise<HearerAnswer> = () => 200;
  const hear = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const header = (name: string): string => String(request.headers[name] ?? "");
    const heard: Heard = {
      webhook: (request.url ?? "/").slice(1),
      deliveryId: header("x-bigledger-delivery"),
      eventId: header("webhook-id"),
      attempt: Number(header("x-bigledger-attempt")),
    };
    const secret = secretOf(heard.webhook);
    const received = {
      kind: "received" as const,
      ...heard,
      tailHash: hashOfTail(body),
      isSigned: secret !== undefined && isSigned(request, body, secret),
    };
    const answer = await decide(heard);
    ledger.append({ ...received, answer: statusOf(answer) });
    if (answer === "hang") return;
    response.writeHead(statusOf(answer) as number, typeof answer === "object" ? { location: answer.redirectTo } : {});
    response.end();
  };
  const server = createServer((request, response) => {
    // A sender that was killed in the middle of its request is no error of ours.
    hear(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    onRequest: (next) => void (decide = next),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function statusOf(answer: HearerAnswer): number | null {
  if (answer === "hang") return null;
  return typeof answer === "number" ? answer : 307;
}

/** SHA-256 of the envelope from its `data` member on: what came before is Posthorn's, the rest is the sender's. */
export function hashOfTail(body: Buffer): string {
  return createHash("sha256")
    .update(body.subarray(Math.max(0, body.indexOf('"data":'))))
    .digest("hex");
}

/** Both published forms: X-Signature over the body, Standard Webhooks over id, timestamp and body. */
function isSigned(request: IncomingMessage, body: Buffer, secret: string): boolean {
  const { headers } = request;
  const plain = createHmac("sha256", secret).update(body).digest("hex");
  const standard = createHmac("sha256", secret)
    .update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`)
    .update(body)
    .digest("base64");
  return headers["x-signature"] === `sha256=${plain}` && headers["webhook-signature"] === `v1,${standard}`;
}
