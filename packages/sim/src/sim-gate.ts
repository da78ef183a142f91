/**
 * What reaches a process passes its gate. While the gate is closed (the process is stopped, as by SIGSTOP), it waits; when the gate opens,
 * all of it happens at once, in order.
 */
export class Gate {
  isClosed = false;
  #waiting: (() => void)[] = [];

  close(): void {
    this.isClosed = true;
  }

  open(): void {
    if (!this.isClosed) return;
    this.isClosed = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run();
  }

  pass(run: () => void): void {
    if (this.isClosed) this.#waiting.push(run);
    else run();
  }
}
