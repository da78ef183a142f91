/** @zoots/e2e: tests against real servers. There is nothing to import. */
export {};
