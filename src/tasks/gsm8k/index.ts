/** The task GSM8K (Cobbe et al. 2021, arXiv 2110.14168). */
import type { PreflightCase, PublishedSet, Task } from "../task.js"
import { GSM8K_GRADERS } from "./graders.js"
import { gsm8kItemOf, gsm8kItems, goldOf, type Gsm8kItem } from "./items.js"
import { programCases } from "../program-preflight.js"

const item = (answer: string): Gsm8kItem => ({ id: "preflight", question: "", answer })
const texts = (grader: string, answer: string, right: string, wrong: readonly string[]) =>
  [right, ...wrong].map((text, index): PreflightCase<Gsm8kItem> => ({
    name: `${grader}: ${index === 0 ? "a right answer" : `a wrong one (${index})`}`,
    grader,
    item: item(answer),
    generation: { text },
    correct: index === 0,
  }))

export const GSM8K: Task<Gsm8kItem> & { readonly published: PublishedSet } = {
  id: "gsm8k",
  title: "GSM8K",
  quantity: "accuracy",
  published: {
    name: "GSM8K",
    split: "test",
    url: "https://raw.githubusercontent.com/openai/grade-school-math/3101c7d5072418e28b9008a6636bde82a006892c/grade_school_math/data/test.jsonl",
    sha256: "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
    items: 1319,
    licence: "MIT",
  },
  items: gsm8kItems,
  itemOf: gsm8kItemOf,
  keys: ({ id, question }) => ({ id, question }),
  cluster: ({ id }) => id,
  prompt: ({ question }) => ({ prefix: question }),
  pair: ({ question, answer }) => (answer === undefined ? undefined : { prompt: question, target: answer }),
  graders: GSM8K_GRADERS,
  usual: ["strict-repo", "tolerant", "last-number", "strict-match", "flexible"],
  canonical: (each) => {
    const gold = each.answer?.split("####").at(-1)?.trim()
    return gold === undefined ? undefined : { text: `<answer>\\boxed{${gold}}</answer>\n#### ${gold}` }
  },
  preflight: [
    ...texts("strict-repo", "#### 18", "\\boxed{18}", ["\\boxed{19}", "", "\\boxed{nan}"]),
    ...texts("tolerant", "#### -1,018", "\\boxed{-1,018}", ["\\boxed{1018}", "", "\\boxed{nan}"]),
    ...texts("last-number", "#### -1,018", "so -1,018.", ["so 1,018.", "", "nan"]),
    ...texts("strict-match", "#### 18", "#### 18", ["#### 19", "", "18"]),
    ...texts("flexible", "#### 18", "it is 18.", ["18 or 19", "", "none"]),
    ...programCases(item("#### 42"), 42),
  ],
}

export { goldOf, type Gsm8kItem }
