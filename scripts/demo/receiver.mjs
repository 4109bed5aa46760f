// The two systems that hear of the day: an order system and a CRM, behind one port. They believe nothing unsigned, ask
// for the credentials that the webhooks were given, and the order system is away once.
import { once } from "node:events";
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";

/** The order system answers 503 to this one, counted from 1: it is being restarted. */
const FAILING_REQUEST = 40;

/**
 * @param {(request: { headers: object, body: Buffer, secret: string }) => Promise<{ ok: boolean }>} verify the SDK's
 * @param {Record<string, { name: string, header: string, value: string, canFail?: boolean }>} systems by path
 */
export async function startReceiver(verify, systems) {
  /** Of each webhook by name: its signing secret, known once the webhook is made. */
  const secrets = new Map();
  const heard = new Map(Object.values(systems).map(({ name }) => [name, newSystem()]));

  const receive = async (request) => {
    const arrivedAtMs = performance.now();
    const system = systems[request.url];
    if (system === undefined) return 404;
    const record = heard.get(system.name);
    const body = await buffer(request);
    record.requests += 1;
    const number = record.requests;
    if (request.headers[system.header] !== system.value) return refuse(record, 403);
    const check = await verify({ headers: request.headers, body, secret: secrets.get(system.name) ?? "unknown" });
    if (!check.ok) return refuse(record, 401);
    if (system.canFail && number === FAILING_REQUEST) return 503;
    const id = request.headers["webhook-id"];
    if (record.arrivals.has(id)) record.repeated += 1;
    else record.arrivals.set(id, { arrivedAtMs, attempt: Number(request.headers["x-bigledger-attempt"]) });
    return 204;
  };

  const server = createServer((request, response) => {
    receive(request).then(
      (status) => response.writeHead(status).end(),
      () => response.destroy(),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: server.address().port,
    secrets,
    heard,
    stop: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

const newSystem = () => ({ requests: 0, refused: 0, repeated: 0, arrivals: new Map() });

function refuse(record, status) {
  record.refused += 1;
  return status;
}
