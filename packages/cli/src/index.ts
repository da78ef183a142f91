/** @zoots/cli: the program `zoots`. What is exported is for the documentation. */
export { commandNames, commandUsage } from './zkcli/command-rows.js';
