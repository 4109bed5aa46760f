// A receiver with Fastify. Run it with the webhook's secret:
//   WEBHOOK_SECRET=whsec_… node examples/receivers/fastify.ts
import { pathToFileURL } from "node:url";
import { checkWebhook, type WebhookEvent } from "@posthorn/client";
import fastify, { type FastifyInstance } from "fastify";
import { Inbox, printEvent } from "./inbox.ts";

/** @param secret the webhook's signing secret; the old and the new one while it is rotated */
export function makeApp(secret: string | string[], handle: (event: WebhookEvent) => Promise<void>): FastifyInstance {
  const inbox = new Inbox(handle);
  // Posthorn sends bodies of up to 10 MiB and an envelope.
  const app = fastify({ bodyLimit: 11 * 1024 * 1024 });

  // In a scope of its own: here bodies stay bytes, because the signature is over them; other routes keep their parsers.
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
    scope.post("/webhooks", async (request, reply) => {
      const check = await checkWebhook({ headers: request.headers, body: request.body as Buffer, secret });
      if (!check.ok) {
        console.warn(`refused: ${check.reason}: ${check.message}`);
        return reply.code(401).send({ error: check.reason });
      }
      inbox.take(check.webhook);
      return reply.code(204).send();
    });
  });
  return app;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const secret = process.env.WEBHOOK_SECRET ?? "";
  await makeApp(secret, printEvent).listen({ port: Number(process.env.PORT ?? 9000), host: "127.0.0.1" });
}
