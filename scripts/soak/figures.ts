/** What a soak counts, and what it found wrong. */
export class Figures {
  readonly counts = new Map<string, number>()
  readonly failures: string[] = []

  add(name: string, count = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + count)
  }

  most(name: string, value: number): void {
    this.counts.set(name, Math.max(this.counts.get(name) ?? 0, value))
  }

  fail(what: string): void {
    this.failures.push(what)
    process.stderr.write(`FAILED: ${what}\n`)
  }

  text(): string {
    const width = Math.max(0, ...[...this.counts.keys()].map((name) => name.length))
    return [...this.counts].map(([name, count]) => `${name.padEnd(width)}  ${count}`).join("\n")
  }

  line(): string {
    return [...this.counts].map(([name, count]) => `${name} ${count}`).join(", ")
  }
}

export interface Part {
  readonly name: string
  /** One case; called again and again until the time is over. */
  readonly step: () => Promise<void>
}
