// A receiver in plain Node.js. Run it with the webhook's secret:
//   WEBHOOK_SECRET=whsec_… node examples/receivers/node.ts
import { createServer, type IncomingMessage, type Server } from "node:http";
import { pathToFileURL } from "node:url";
import { checkWebhook, type WebhookEvent } from "@posthorn/client";
import { Inbox, printEvent } from "./inbox.ts";

/** Posthorn sends bodies of up to 10 MiB and an envelope. */
const MAX_BODY_BYTES = 11 * 1024 * 1024;

/** @param secret the webhook's signing secret; the old and the new one while it is rotated */
export function makeServer(secret: string | string[], handle: (event: WebhookEvent) => Promise<void>): Server {
  const inbox = new Inbox(handle);

  async function receive(request: IncomingMessage): Promise<number> {
    if (request.method !== "POST") return 405;
    const body = await readBody(request);
    if (body === null) return 413;
    const check = await checkWebhook({ headers: request.headers, body, secret });
    if (!check.ok) {
      console.warn(`refused: ${check.reason}: ${check.message}`);
      return 401;
    }
    inbox.take(check.webhook);
    return 204;
  }

  return createServer((request, response) => {
    receive(request).then(
      (status) => response.writeHead(status).end(),
      (error: unknown) => {
        console.error(error);
        response.writeHead(500).end();
      },
    );
  });
}

/** The bytes as they came: what was parsed and written again has another signature. */
async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > MAX_BODY_BYTES) return null;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const secret = process.env.WEBHOOK_SECRET ?? "";
  makeServer(secret, printEvent).listen(Number(process.env.PORT ?? 9000), "127.0.0.1");
}
