/** The words below the table: shares, disagreement, preflight, and two files side by side. */
import { columns } from "../text.js"
import type { Comparison } from "./compare.js"
import type { Scored } from "./grade.js"
import type { Preflight } from "./preflight.js"
import { rightPerItem, type Disagreement } from "./summary.js"

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`
const points = (share: number): string => `${share < 0 ? "-" : "+"}${Math.abs(100 * share).toFixed(2)}`

export const matrixText = ({ graders, counts }: Disagreement): readonly string[] =>
  graders.length < 2
    ? []
    : [
        "Right under the row's grader and wrong under the column's:",
        columns(
          [
            ["", ...graders],
            ...counts.map((row, i) => [
              graders[i]!,
              ...row.map((count, j) => (i === j ? "." : String(count))),
            ]),
          ],
          "  ",
        ),
      ]

/** Said where items have different numbers of generations: figures are means over items, and some files repeat a few. */
const repeatsText = (items: Scored["items"]): readonly string[] => {
  const counts = [
    ...rightPerItem(
      items,
      items.map(() => true),
    ).values(),
  ]
  const least = counts.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const most = counts.reduce((a, b) => Math.max(a, b), 0)
  return least === most
    ? []
    : [
        `Items have ${least} to ${most} generations (${counts.filter((count) => count > least).length} of ${counts.length} have more than ${least}): a figure is the mean of each item's own share.`,
      ]
}

export const sharesText = ({ empty, truncated, items, recorded }: Scored): readonly string[] => [
  ...repeatsText(items),
  `Empty: ${empty} of ${items.length} (${percent(empty / items.length)}). Truncated: ${truncated === undefined ? "not stated" : `${truncated} (${percent(truncated / items.length)})`}.`,
  ...recorded.map(
    ({ grader, agree, differ }) =>
      `Verdicts that the file records under ${grader}: ${agree} of ${agree + differ} are the same here.`,
  ),
]

export const preflightText = ({ cases, ceilings }: Preflight): string =>
  [
    `Preflight: ${cases} known texts judged as they must be`,
    ...ceilings.map(
      ({ grader, passed, tried }) => `${grader} passes ${passed}/${tried} of the items' own answers`,
    ),
  ].join("; ") + "."

const P = (p: number): string => (p < 0.001 ? p.toExponential(1) : p.toFixed(3))

export const comparisonText = (
  { common, onlyFirst, onlySecond, graders }: Comparison,
  first: string,
  second: string,
): readonly string[] => [
  `${first} against ${second} on ${common} common items${onlyFirst + onlySecond === 0 ? "" : ` (left out: ${onlyFirst} of the first alone, ${onlySecond} of the second alone)`}:`,
  columns(
    [
      [
        "GRADER",
        "FIRST",
        "SECOND",
        "DIFFERENCE",
        "95 % INTERVAL",
        "DETECTABLE",
        "ONLY FIRST / SECOND",
        "McNEMAR p",
      ],
      ...graders.map((each) => [
        each.grader,
        percent(each.first),
        percent(each.second),
        points(each.difference),
        `${points(each.low)} to ${points(each.high)}`,
        (100 * each.minimumDetectable).toFixed(2),
        `${each.firstOnly.length} / ${each.secondOnly.length}`,
        each.mcnemar === undefined ? "several samples" : P(each.mcnemar.p),
      ]),
    ],
    "  ",
  ),
  "Differences are in points, paired by item; their standard error lets items of one cluster agree. DETECTABLE: the smallest true difference that so many items find with 80 % power.",
]
