// Proves that a webhook's own list narrows what the guard lets through, on every connection, and never widens it.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAddressList } from "../../../src/security/addresses/address-list.ts";
import type { OutboundClient } from "../../../src/security/outbound/client.ts";
import { createTestClient, postTo, resolveTo } from "../../support/outbound.ts";
import { type Receiver, startReceiver } from "../../support/receivers/receiver.ts";

const only = (...entries: string[]) => ({ allowedIps: parseAddressList(entries) });

let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver();
});
afterAll(() => receiver.close());

describe("a list beside a URL with an address", () => {
  let client: OutboundClient;
  beforeAll(() => {
    client = createTestClient("127.0.0.1");
  });
  afterAll(() => client.close());

  test("that it holds changes nothing", async () => {
    const result = await client.send(postTo(receiver.origin, only("127.0.0.0/8")));
    expect(result).toMatchObject({ kind: "responded", status: 200, address: `127.0.0.1:${receiver.port}` });
  });

  test("that it does not hold: nothing is sent, and both sides are named", async () => {
    const before = receiver.connectionCount;
    const result = await client.send(postTo(receiver.origin, only("127.0.0.2", "2001:db8::/32")));
    expect(result).toMatchObject({
      kind: "blocked",
      code: "ADDRESS_NOT_ALLOWED",
      requestStarted: false,
      address: `127.0.0.1:${receiver.port}`,
    });
    const { message } = result as { message: string };
    for (const part of ["127.0.0.1", "127.0.0.2", "2001:db8::/32"]) expect(message).toContain(part);
    expect(receiver.connectionCount).toBe(before);
  });

  test("an empty or unreadable list lets nobody through", async () => {
    for (const list of [only(), only("nonsense")]) {
      expect(await client.send(postTo(receiver.origin, list))).toMatchObject({ code: "ADDRESS_NOT_ALLOWED" });
    }
  });

  test("a long list is shown in part", async () => {
    const many = Array.from({ length: 100 }, (_, i) => `198.51.100.${i}`);
    const result = await client.send(postTo(receiver.origin, only(...many)));
    expect((result as { message: string }).message.length).toBeLessThan(450);
  });
});

test("an open connection is not reused by a request whose list has not let it through", async () => {
  const client = createTestClient("127.0.0.1");
  try {
    const send = async (list: object = {}) => client.send(postTo(receiver.origin, list));
    expect(await send()).toMatchObject({ kind: "responded", reusedConnection: false });
    expect(await send()).toMatchObject({ kind: "responded", reusedConnection: true });
    expect(await send(only("127.0.0.2"))).toMatchObject({ kind: "blocked", code: "ADDRESS_NOT_ALLOWED" });
    expect(await send(only("127.0.0.1"))).toMatchObject({ kind: "responded", reusedConnection: false });
    expect(await send(only("127.0.0.1"))).toMatchObject({ kind: "responded", reusedConnection: true });
    // The list was narrowed: what the wider one opened is of no use.
    expect(await send(only("127.0.0.3"))).toMatchObject({ kind: "blocked", code: "ADDRESS_NOT_ALLOWED" });
    expect(await send()).toMatchObject({ kind: "responded", reusedConnection: true });
  } finally {
    await client.close();
  }
});

describe("a list beside a name", () => {
  const dialled = (): { hosts: string[]; connectSocket: never } => {
    const hosts: string[] = [];
    const connectSocket = (({ host }: { host: string }) => {
      hosts.push(host);
      throw new Error(`dialled ${host}`);
    }) as never;
    return { hosts, connectSocket };
  };

  test("never opens an address that the guard refuses", async () => {
    const { hosts, connectSocket } = dialled();
    const client = createTestClient("", { resolve: resolveTo("127.0.0.1"), connectSocket });
    const result = await client.send(
      postTo("https://receiver.example.org/", only("127.0.0.1", "127.0.0.0/8", "0.0.0.0/0")),
    );
    expect(result).toMatchObject({ kind: "blocked", code: "ADDRESS_BLOCKED" });
    expect((result as { message: string }).message).not.toContain("127.0.0.1");
    // One bad answer among good ones spoils them all, as without a list, whichever the list holds.
    const mixed = createTestClient("", { resolve: resolveTo("8.8.8.8", "127.0.0.1"), connectSocket });
    expect(await mixed.send(postTo("https://receiver.example.org/", only("8.8.8.8")))).toMatchObject({
      code: "ADDRESS_BLOCKED",
    });
    expect(hosts).toEqual([]);
    await Promise.all([client.close(), mixed.close()]);
  });

  test("dials only the addresses that it holds, of all that the name has", async () => {
    const { hosts, connectSocket } = dialled();
    const resolve = resolveTo("8.8.8.8", "1.1.1.1", "2606:4700::1111");
    const client = createTestClient("", { resolve, connectSocket });
    await expect(client.send(postTo("https://receiver.example.org/", only("1.1.1.0/24")))).rejects.toThrow("1.1.1.1");
    expect(hosts).toEqual(["1.1.1.1"]);
    expect(await client.send(postTo("https://receiver.example.org/", only("9.9.9.9")))).toMatchObject({
      kind: "blocked",
      code: "ADDRESS_NOT_ALLOWED",
      address: "8.8.8.8:443",
    });
    await client.close();
  });
});
