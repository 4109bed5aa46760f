// Names and ports that no webhook may use unless the operator allows the target: data and two questions.
// It must never be the only defence: a name that passes here is still resolved and its addresses checked.

/** Suffixes of names that only mean something inside a network. */
const INTERNAL_SUFFIXES: readonly string[] = [
  "localhost",
  "localdomain",
  "local", // RFC 6762, and Kubernetes' cluster.local
  "internal", // ICANN's private-use name; metadata.google.internal
  "intranet",
  "private",
  "corp",
  "home",
  "lan",
  "home.arpa", // RFC 8375
  "in-addr.arpa",
  "ip6.arpa",
  "svc",
  "consul",
  "onion", // RFC 7686: must not reach the DNS
  "invalid",
];

/**
 * Ports of 1024 and above at which databases, brokers and control planes listen: a signed POST to
 * them is never a webhook. Below 1024 only 443 is open.
 */
const SERVICE_PORTS: ReadonlySet<number> = new Set([
  1080, 1433, 1434, 1521, 1719, 1720, 1723, 2049, 2181, 2375, 2376, 2377, 2379, 2380, 3128, 3268, 3269, 3306, 3389,
  3659, 4045, 4190, 4369, 5060, 5061, 5432, 5433, 5671, 5672, 5900, 5984, 5985, 5986, 6000, 6379, 6380, 6443, 6566,
  6665, 6666, 6667, 6668, 6669, 6697, 7000, 7001, 7199, 7473, 7474, 7687, 8086, 8125, 8300, 8301, 8302, 8500, 8501,
  8600, 9042, 9092, 9093, 9094, 9160, 9200, 9300, 10080, 10250, 10255, 10256, 11211, 15672, 25565, 26257, 27017, 27018,
  27019, 50051, 50070, 61613, 61616,
]);

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** True when an https request may go to this port without the operator's leave. */
export function isOpenPort(port: number): boolean {
  return port === 443 || (port >= 1024 && !SERVICE_PORTS.has(port));
}

/** True when the host is a syntactically valid DNS name with at least one dot (RFC 1035 lengths). */
export function isPublicName(hostname: string): boolean {
  if (hostname.length > 253) return false;
  const labels = hostname.split(".");
  return labels.length > 1 && labels.every((label) => LABEL.test(label));
}

/** True when the name is one that only an internal network would answer. */
export function isInternalName(hostname: string): boolean {
  return INTERNAL_SUFFIXES.some((suffix) => hostname === suffix || hostname.endsWith(`.${suffix}`));
}
