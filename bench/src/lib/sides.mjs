// What a side of a measurement is: a program that takes events over HTTP and brings them to the receiver.
// Must never hold knowledge of one side: that stands in bare-side.mjs and product-side.mjs.

/**
 * @typedef {object} SideSetup
 * @property {string} databaseUrl a fresh database
 * @property {number} receiverPort
 * @property {string} secret that requests are signed with
 * @property {boolean} deliveries one webhook matches every event; else none does
 * @property {string} directory scratch directory of this start
 *
 * @typedef {object} RunningSide
 * @property {number} pid
 * @property {number} port
 * @property {string} apiKey
 * @property {() => string} log the end of what it has said
 * @property {() => Promise<void>} stop
 *
 * @typedef {object} Side
 * @property {"bare" | "product"} name
 * @property {(setup: SideSetup) => Promise<RunningSide>} start ready to be loaded when it resolves
 */
export {};
