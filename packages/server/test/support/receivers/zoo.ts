// The receiver zoo: one raw socket server whose paths misbehave, and TLS servers with every kind of bad certificate.
// It must never answer through an HTTP library (that would correct the very faults it stands for).
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { createTestCertificate, type TestCertificate } from "./certificates.ts";
import { destroyAll, track } from "./receiver.ts";
import { statusBehaviour, ZOO_BEHAVIOURS, type ZooBehaviour } from "./zoo-behaviours.ts";

export interface Zoo {
  readonly port: number;
  /** Full URL of a behaviour: `/rst`, `/503`, … (see ZOO_BEHAVIOURS). */
  url(path: string): string;
  /** Visits to a path so far. */
  visits(path: string): number;
  /** Sockets that clients still hold open. */
  readonly openCount: number;
  close(): Promise<void>;
}

/** Starts the plain-text part on a free port of 127.0.0.1. */
export async function startZoo(options: { readonly canaryOrigin?: string } = {}): Promise<Zoo> {
  const visits = new Map<string, number>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    track(sockets, socket);
    const timers = new Set<NodeJS.Timeout>();
    socket.once("close", () => {
      for (const timer of timers) clearTimeout(timer);
    });
    onRequestHead(socket, (path) => {
      const visit = visits.get(path) ?? 0;
      visits.set(path, visit + 1);
      behaviourOf(path)({
        socket,
        path,
        visit,
        canaryOrigin: options.canaryOrigin ?? "http://127.0.0.1:9",
        every: (intervalMs, act) => timers.add(setInterval(act, intervalMs)),
        after: (delayMs, act) => timers.add(setTimeout(act, delayMs)),
      });
    });
  });
  const port = await listen(server);
  return {
    port,
    url: (path) => `http://127.0.0.1:${port}${path}`,
    visits: (path) => visits.get(path) ?? 0,
    get openCount() {
      return sockets.size;
    },
    close: () => closeServer(server, sockets),
  };
}

/** The TLS receivers; `authority` signs those whose only fault lies elsewhere. */
export interface TlsZoo {
  readonly authority: TestCertificate;
  readonly ports: Readonly<Record<TlsAnimal, number>>;
  /** Bytes of decrypted requests that any of them has read: must stay 0 for all but `good`. */
  readonly requestBytes: Readonly<Record<TlsAnimal, number>>;
  close(): Promise<void>;
}

export type TlsAnimal = "good" | "expired" | "wronghost" | "selfsigned" | "unknownca" | "tls11" | "plain" | "slow";

const HOST = "127.0.0.1";

/** Starts all TLS receivers; their certificates name 127.0.0.1 and `hooks.example.com`. */
export async function startTlsZoo(): Promise<TlsZoo> {
  const authority = createTestCertificate({ commonName: "zoo authority", isAuthority: true });
  const stranger = createTestCertificate({ commonName: "strange authority", isAuthority: true });
  const issuer = { ...authority, commonName: "zoo authority" };
  const names = [HOST, "hooks.example.com"];
  const good = createTestCertificate({ commonName: "good", names, issuer });
  const past = { notBefore: new Date("2020-01-01T00:00:00Z"), notAfter: new Date("2020-02-01T00:00:00Z") };
  const certificates: Record<Exclude<TlsAnimal, "plain" | "slow">, TlsOptions> = {
    good: tlsOptions(good),
    expired: tlsOptions(createTestCertificate({ commonName: "expired", names, issuer, ...past })),
    wronghost: tlsOptions(createTestCertificate({ commonName: "wronghost", names: ["elsewhere.example"], issuer })),
    selfsigned: tlsOptions(createTestCertificate({ commonName: "selfsigned", names })),
    unknownca: tlsOptions(
      createTestCertificate({
        commonName: "unknownca",
        names,
        issuer: { ...stranger, commonName: "strange authority" },
      }),
    ),
    tls11: { ...tlsOptions(good), minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" },
  };
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  const ports = {} as Record<TlsAnimal, number>;
  const requestBytes = {} as Record<TlsAnimal, number>;
  const add = async (animal: TlsAnimal, server: Server): Promise<void> => {
    requestBytes[animal] = 0;
    servers.push(server);
    server.on("connection", (socket: Socket) => track(sockets, socket));
    server.on("tlsClientError", () => {});
    ports[animal] = await listen(server);
  };
  const serve = (animal: TlsAnimal) => (socket: Socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => {
      requestBytes[animal] += data.length;
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    });
  };
  for (const [animal, options] of Object.entries(certificates) as [keyof typeof certificates, TlsOptions][]) {
    await add(animal, createTlsServer(options, serve(animal)));
  }
  await add(
    "plain",
    createServer((socket) => void socket.write("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")),
  );
  await add("slow", createServer());
  return {
    authority,
    ports,
    requestBytes,
    close: async () => {
      for (const server of servers) await closeServer(server, sockets);
    },
  };
}

function tlsOptions(certificate: TestCertificate): TlsOptions {
  return { cert: certificate.certificate, key: certificate.privateKey };
}

function behaviourOf(path: string): ZooBehaviour {
  const named = ZOO_BEHAVIOURS[path];
  if (named !== undefined) return named;
  const status = /^\/([2-5]\d\d)$/.exec(path)?.[1];
  return statusBehaviour(status === undefined ? 404 : Number(status));
}

/** Calls back with the path of each request; bodies are skipped by their Content-Length. */
function onRequestHead(socket: Socket, onPath: (path: string) => void): void {
  let buffered = Buffer.alloc(0);
  socket.on("data", (data) => {
    buffered = Buffer.concat([buffered, data]);
    for (;;) {
      const end = buffered.indexOf("\r\n\r\n");
      if (end === -1) return;
      const text = buffered.subarray(0, end).toString("latin1");
      const bodyBytes = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (buffered.length < end + 4 + bodyBytes) return;
      buffered = buffered.subarray(end + 4 + bodyBytes);
      onPath(text.split(" ")[1] ?? "");
    }
  });
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  return (server.address() as AddressInfo).port;
}

function closeServer(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    destroyAll(sockets);
  });
}
