/** @zoots/cli: the program `zoots`. There is nothing to import. */
export {};
