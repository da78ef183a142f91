/** @zoots/bench: the load generator. There is nothing to import. */
export {};
