/** The packet's style sheet: system fonts, one column, light, dark and print. */
export const STYLE = `
:root{color-scheme:light dark;--ink:#1a1c1e;--soft:#565b61;--line:#d9dce0;--page:#fff;--card:#f5f6f8;--blue:#005a9c;--red:#a83200;--green:#00694a}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a7adb4;--line:#3a3f45;--page:#15171a;--card:#1e2125;--blue:#7fc1f7;--red:#ff9e73;--green:#62d3a8}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
main{max-width:62rem;margin:0 auto;padding:1rem 1rem 4rem}
h1{font-size:1.5rem;line-height:1.25;margin:.5rem 0}
h2{font-size:1.2rem;margin:2.2rem 0 .6rem;border-bottom:1px solid var(--line);padding-bottom:.2rem}
h3{font-size:1.05rem;margin:0 0 .4rem;line-height:1.3}
p,li,td,th,dd,summary{overflow-wrap:anywhere}
p{margin:.4rem 0}
a{color:var(--blue)}
code,pre{font:.86em/1.45 ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--card);padding:.8rem;border-radius:6px;margin:.5rem 0}
.soft{color:var(--soft)}
.small{font-size:.875rem}
.mark-word{font-size:.78rem;border:1px solid var(--line);border-radius:999px;padding:0 .5rem;color:var(--soft);white-space:nowrap}
.cards{display:grid;gap:.7rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,19rem),1fr))}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.8rem .9rem;min-width:0}
.big+p{margin-top:0}.big{margin-bottom:0;font-size:1.35rem;font-weight:650;font-variant-numeric:tabular-nums}
.ordered-only,.convertible{color:var(--blue)}.incomparable,.unknown{color:var(--red)}.identical{color:var(--green)}
ol.findings{padding-left:1.5rem}ol.findings>li{margin:0 0 1rem}
dl{display:grid;grid-template-columns:minmax(6rem,11rem) 1fr;gap:.15rem .8rem;margin:.4rem 0}
dt{color:var(--soft)}dd{margin:0;min-width:0}
table{border-collapse:collapse;width:100%;font-size:.875rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .4rem;border-bottom:1px solid var(--line)}
td,th{overflow-wrap:break-word}td code{overflow-wrap:anywhere}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
details{border:1px solid var(--line);border-radius:8px;margin:.6rem 0;padding:.6rem .8rem}
summary{cursor:pointer;font-weight:600;padding:.2rem 0}
figure{margin:1rem 0;max-width:34rem}
figcaption{color:var(--soft);font-size:.875rem}
.plot{display:block;width:100%;height:auto}
.plot text{font-size:11px;fill:var(--ink);font-family:inherit;paint-order:stroke;stroke:var(--page);stroke-width:3px;stroke-linejoin:round}.plot .muted{fill:var(--soft);font-size:10px}.plot .name{font-weight:600}
.plot .grid{stroke:var(--line);fill:none}.plot .range{stroke:var(--blue);stroke-width:13;stroke-opacity:.28;fill:none}
.plot .mark{stroke:var(--blue);stroke-width:2;fill:var(--page)}.plot path.mark{fill:none}.plot .full{fill:var(--blue)}
.plot .was{stroke:var(--red);stroke-width:2;fill:none}.plot .link{stroke:var(--soft);stroke-dasharray:2 3;fill:none}
@media (max-width:34rem){
table.stack,table.stack tbody,table.stack tr,table.stack td{display:block;width:auto}
table.stack thead{display:none}
table.stack tr{border-bottom:1px solid var(--line);padding:.4rem 0}
table.stack td:empty{display:none}
table.stack td{border:0;padding:.05rem 0;text-align:left;overflow-wrap:anywhere}
table.stack td::before{content:attr(data-name) " ";color:var(--soft)}
dl{grid-template-columns:1fr}dt{margin-top:.3rem}
}
@media print{
:root{--ink:#000;--soft:#444;--line:#bbb;--page:#fff;--card:#fff;--blue:#004a80;--red:#8a2900;--green:#00553c}
body{font-size:10pt}main{max-width:none;padding:0}
h2,h3{break-after:avoid}.card,figure,ol.findings>li,tr{break-inside:avoid}
a{text-decoration:none;color:inherit}
}
`.trim()
