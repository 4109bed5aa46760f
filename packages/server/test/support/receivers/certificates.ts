// Certificates for test receivers, made at test time by a few lines of DER: no openssl, no package.
// It must never be used outside tests: no revocation, no key usage, P-256 and SHA-256 only.
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign } from "node:crypto";

/** PEM texts of a certificate and its key. */
export interface TestCertificate {
  readonly certificate: string;
  readonly privateKey: string;
}

export interface CertificateOptions {
  readonly commonName: string;
  /** DNS names and IPv4 addresses it is valid for. */
  readonly names?: readonly string[];
  readonly isAuthority?: boolean;
  /** Self-signed when absent. */
  readonly issuer?: TestCertificate & { readonly commonName: string };
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

const DAY_MS = 86_400_000;
const OID_COMMON_NAME = [0x55, 0x04, 0x03];
const OID_ECDSA_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const OID_SUBJECT_ALT_NAME = [0x55, 0x1d, 0x11];
const OID_BASIC_CONSTRAINTS = [0x55, 0x1d, 0x13];

/** Makes a key pair and a certificate for it (RFC 5280, version 3). */
export function createTestCertificate(options: CertificateOptions): TestCertificate {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const privateKey = keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const issuerKey = options.issuer === undefined ? keys.privateKey : createPrivateKey(options.issuer.privateKey);
  const algorithm = sequence(oid(OID_ECDSA_SHA256));
  const body = sequence(
    context(0, integer(Buffer.of(2))),
    integer(Buffer.concat([Buffer.of(1), randomBytes(15)])),
    algorithm,
    name(options.issuer?.commonName ?? options.commonName),
    sequence(
      time(options.notBefore ?? new Date(Date.now() - DAY_MS)),
      time(options.notAfter ?? new Date(Date.now() + 30 * DAY_MS)),
    ),
    name(options.commonName),
    createPublicKey(keys.privateKey).export({ type: "spki", format: "der" }),
    context(3, sequence(...extensions(options))),
  );
  const der = sequence(body, algorithm, bitString(sign("sha256", body, issuerKey)));
  return { certificate: toPem(der), privateKey };
}

function extensions(options: CertificateOptions): Buffer[] {
  const names = options.names ?? [];
  const list: Buffer[] = [];
  if (options.isAuthority === true) {
    const isCa = sequence(tagged(0x01, Buffer.of(0xff)));
    list.push(sequence(oid(OID_BASIC_CONSTRAINTS), tagged(0x01, Buffer.of(0xff)), tagged(0x04, isCa)));
  }
  if (names.length > 0) list.push(sequence(oid(OID_SUBJECT_ALT_NAME), tagged(0x04, sequence(...names.map(altName)))));
  return list;
}

function altName(text: string): Buffer {
  const isV4 = /^\d+(\.\d+){3}$/.test(text);
  return isV4 ? tagged(0x87, Buffer.from(text.split(".").map(Number))) : tagged(0x82, Buffer.from(text, "latin1"));
}

function name(commonName: string): Buffer {
  return sequence(tagged(0x31, sequence(oid(OID_COMMON_NAME), tagged(0x0c, Buffer.from(commonName)))));
}

function time(date: Date): Buffer {
  const text = `${date.toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`;
  return tagged(0x17, Buffer.from(text.slice(2), "latin1")); // UTCTime: two digits of the year, until 2049
}

function oid(bytes: readonly number[]): Buffer {
  return tagged(0x06, Buffer.from(bytes));
}

function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes);
}

function bitString(bytes: Buffer): Buffer {
  return tagged(0x03, Buffer.concat([Buffer.of(0), bytes]));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

function context(number: number, content: Buffer): Buffer {
  return tagged(0xa0 | number, content);
}

function tagged(tag: number, content: Buffer): Buffer {
  const length = content.length;
  const head =
    length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

function toPem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
