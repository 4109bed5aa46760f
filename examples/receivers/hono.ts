// A receiver with Hono: the same code runs on Node.js, Deno, Bun and edge runtimes. Run it with the webhook's secret:
//   WEBHOOK_SECRET=whsec_… node examples/receivers/hono.ts
import { pathToFileURL } from "node:url";
import { serve } from "@hono/node-server";
import { checkWebhook, type WebhookEvent } from "@posthorn/client";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { Inbox, printEvent } from "./inbox.ts";

/** @param secret the webhook's signing secret; the old and the new one while it is rotated */
export function makeApp(secret: string | string[], handle: (event: WebhookEvent) => Promise<void>): Hono {
  const inbox = new Inbox(handle);
  const app = new Hono();

  // Posthorn sends bodies of up to 10 MiB and an envelope.
  app.post("/webhooks", bodyLimit({ maxSize: 11 * 1024 * 1024 }), async (context) => {
    // Not context.req.json(): the signature is over the bytes.
    const body = await context.req.arrayBuffer();
    const check = await checkWebhook({ headers: context.req.raw.headers, body, secret });
    if (!check.ok) {
      console.warn(`refused: ${check.reason}: ${check.message}`);
      return context.json({ error: check.reason }, 401);
    }
    inbox.take(check.webhook);
    return context.body(null, 204);
  });
  return app;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const secret = process.env.WEBHOOK_SECRET ?? "";
  serve({ fetch: makeApp(secret, printEvent).fetch, port: Number(process.env.PORT ?? 9000), hostname: "127.0.0.1" });
}
