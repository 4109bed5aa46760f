// A receiver with Express. Run it with the webhook's secret:
//   WEBHOOK_SECRET=whsec_… node examples/receivers/express.ts
import { pathToFileURL } from "node:url";
import { checkWebhook, type WebhookEvent } from "@posthorn/client";
import express, { type Express } from "express";
import { Inbox, printEvent } from "./inbox.ts";

/** @param secret the webhook's signing secret; the old and the new one while it is rotated */
export function makeApp(secret: string | string[], handle: (event: WebhookEvent) => Promise<void>): Express {
  const inbox = new Inbox(handle);
  const app = express();

  // Not express.json(): the signature is over the bytes. Posthorn sends bodies of up to 10 MiB and an envelope.
  const bytes = express.raw({ type: () => true, limit: "11mb" });

  // Express 5 waits for the promise and answers 500 when it rejects; Express 4 does not.
  // oxlint-disable-next-line oxc/no-async-endpoint-handlers
  app.post("/webhooks", bytes, async (request, response) => {
    const check = await checkWebhook({ headers: request.headers, body: request.body as Buffer, secret });
    if (!check.ok) {
      console.warn(`refused: ${check.reason}: ${check.message}`);
      response.status(401).json({ error: check.reason });
      return;
    }
    inbox.take(check.webhook);
    response.status(204).end();
  });
  return app;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const secret = process.env.WEBHOOK_SECRET ?? "";
  makeApp(secret, printEvent).listen(Number(process.env.PORT ?? 9000), "127.0.0.1");
}
