import { test } from "tap"
import { decodeText, logLines } from "../../src/audit/log-text.js"

const TEXT = "val_loader: tokens:62021632\nval_loss:2.1 val_bpb:1.2\n"

void test("UTF-8 and UTF-16, with a byte order mark and without", (t) => {
  const le = Buffer.from(TEXT, "utf16le")
  const be = Buffer.from(le).swap16()
  t.equal(decodeText(Buffer.from(TEXT)), TEXT)
  t.equal(decodeText(Buffer.concat([Buffer.from([0xff, 0xfe]), le])), TEXT)
  t.equal(decodeText(Buffer.concat([Buffer.from([0xfe, 0xff]), be])), TEXT)
  t.equal(decodeText(le), TEXT)
  t.equal(decodeText(be), TEXT)
  t.equal(decodeText(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(TEXT)])), TEXT)
  t.equal(
    decodeText(Buffer.from([0x80, 0x02, 0x00, 0x7d, 0x71, 0x00, 0x58])),
    undefined,
    "a pickle is no text",
  )
  t.equal(decodeText(Buffer.from("")), "")
  t.end()
})

void test("colours, links and drawn-over progress lines", (t) => {
  t.same(
    logLines(
      "\u001b[1mval_loss:2.1\u001b[0m val_bpb:1.2\neval 99%|####\rval_loss:2.1\r\n\u001b]8;;http://x\u0007link\u001b]8;;\u0007\n",
    ),
    [
      { number: 1, text: "val_loss:2.1 val_bpb:1.2" },
      { number: 2, text: "eval 99%|####" },
      { number: 2, text: "val_loss:2.1" },
      { number: 3, text: "link" },
      { number: 4, text: "" },
    ],
  )
  t.end()
})
