/** The style sheet of a table's page: that of the audit, and what a wide table needs. */
import { STYLE } from "../packet/style.js"

export const TABLE_STYLE = `${STYLE}
main{max-width:78rem}
.scroll{overflow-x:auto}
table{table-layout:auto;font-variant-numeric:tabular-nums}
td,th,td code{overflow-wrap:normal}
thead th{color:var(--soft);font-weight:400}
tbody th{font-weight:400}
.scroll th[scope=row]{min-width:13rem}
th.group{padding-top:1.1rem;font-weight:650;border-bottom-color:var(--ink)}
td.value,td.interval,td.data,table.head td{white-space:nowrap}
td.value,td.data,th.value,th.data{text-align:right}
table.head{width:auto;min-width:min(100%,42rem)}
table.head td:nth-child(2){font-weight:650}
table.head td,table.head th.column{text-align:right}
.verdict{font-size:1.05rem;font-weight:650}
.chip{border:1px solid;border-radius:.25rem;padding:0 .25rem;font-size:.75rem;color:var(--red)}
ul.lines{margin:.5rem 0;padding-left:1.2rem}
figure{max-width:none}figure svg{display:block;max-width:100%;height:auto;background:#fff}
.notes{font-size:.875rem}
@media (max-width:34rem){
table.stack th[scope=row]{display:block;min-width:0;border:0;padding:.2rem 0;font-weight:650}
table.stack th.group{display:block;padding:1.1rem 0 .2rem}
table.stack td{white-space:normal}
table.stack td::before{content:attr(data-name) ": "}
table.stack td,table.stack th,table.stack td code{overflow-wrap:anywhere}
table.head{min-width:0;width:100%}
table.stack.head td{display:inline-block;margin-right:.9rem;text-align:left}
}
figure .narrow{display:none}
@media screen and (max-width:34rem){
figure{margin:1rem 0}
figure .wide{display:none}
figure .narrow{display:block}
}
@media print{
@page{size:landscape}
.scroll{overflow:visible}
.scroll th[scope=row]{min-width:11rem}
table{font-size:7.5pt}
thead{display:table-header-group}
figure svg{max-height:16cm}
}`
