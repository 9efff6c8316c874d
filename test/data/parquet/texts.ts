/** The texts of the parquet files of this folder, by the rule of make.py. */
import { fileURLToPath } from "node:url"

export const PARQUET_ROWS = 60

export const parquetText = (i: number): string =>
  i === 7 ? " \n" : `Document ${i}.\n\n${"word ".repeat(i % 5)}${i === 11 ? "Žluťoučký kůň" : "end"}`

export const parquetFile = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
