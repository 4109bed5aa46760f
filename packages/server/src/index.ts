// The door of the server package for `posthorn serve`: the whole node. Commands that open the database themselves, and the
// settings, have doors of their own in package.json: they must not load the node, which takes longer than they do.
export { type ServeResult, serve } from "./serve.ts";
