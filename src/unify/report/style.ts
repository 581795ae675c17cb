/** The report's only style sheet: system fonts, light and dark, narrow and wide, and paper. */

const LIGHT = `--ink:#1b1f24;--soft:#59626d;--line:#d9dee4;--page:#f5f6f8;--card:#ffffff;--blue:#0072b2;--orange:#c77700;--green:#00805d;--red:#c44500;--purple:#a3508a;--good:#00663f;--good-back:#e0f3ea;--bad:#a33000;--bad-back:#fdeae1;--mixed:#7a5200;--mixed-back:#fdf1d8;--heat:0,114,178`;
const DARK = `--ink:#e8ebee;--soft:#a3adb8;--line:#363e47;--page:#12161a;--card:#1b2026;--blue:#5cb3e8;--orange:#f0a93a;--green:#2fc299;--red:#f28a55;--purple:#d98fc0;--good:#6fd6a8;--good-back:#12382a;--bad:#ff9d73;--bad-back:#43200f;--mixed:#f3c56a;--mixed-back:#3b2c0c;--heat:92,179,232`;

const SCREEN = `
:root{color-scheme:light dark;${LIGHT}}
@media (prefers-color-scheme:dark){:root{${DARK}}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth;scroll-padding-top:1rem}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;overflow-wrap:break-word}
a{color:var(--blue)}
.page{max-width:1240px;margin:0 auto;padding:0 1rem 4rem}
p,li,h1,h3,h4,dt,dd,figcaption{overflow-wrap:anywhere}
h1{font-size:clamp(1.65rem,1.2rem + 2.2vw,2.6rem);line-height:1.15;letter-spacing:-.02em;margin:.3rem 0 .8rem;max-width:26em;text-wrap:balance}
h2{font-size:1.45rem;line-height:1.25;letter-spacing:-.01em;margin:0 0 .6rem}
h3{font-size:1.08rem;margin:1.6rem 0 .5rem}
h4{font-size:.95rem;margin:1.1rem 0 .35rem}
p{margin:.5rem 0 .8rem;max-width:48em}
header{padding:2.2rem 0 .5rem}
.kicker{color:var(--soft);font-weight:600;font-size:.88rem;margin:0}
.lead{font-size:1.1rem;color:var(--soft)}
section{padding:2rem 0 .5rem;border-top:1px solid var(--line);margin-top:2rem}
nav ol{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:.3rem .5rem;font-size:.88rem}
nav a{display:block;padding:.2rem .65rem;border:1px solid var(--line);border-radius:1rem;background:var(--card);color:inherit;text-decoration:none}
nav a:hover{border-color:var(--blue)}
.callout{border-left:4px solid var(--soft);background:var(--card);border-radius:.3rem;padding:.7rem 1rem;margin:1rem 0;max-width:60em}
.callout.bad{border-color:var(--bad);background:var(--bad-back)}.callout.mixed{border-color:var(--mixed);background:var(--mixed-back)}
.callout p{margin:.2rem 0}.callout ul{margin:.3rem 0;padding:0;list-style:none}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,13.2rem),1fr));gap:.8rem;margin:1rem 0}
.figures>div{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.85rem 1rem}
.figures dt{font-size:.85rem;color:var(--soft);font-weight:600}
.figures dd{margin:0;font-size:.86rem;color:var(--soft)}
.figures .big{font-size:1.95rem;line-height:1.2;font-weight:650;letter-spacing:-.02em;color:var(--ink);font-variant-numeric:tabular-nums;margin:.1rem 0}
.figures .big .mark{font-size:.8rem;letter-spacing:0;vertical-align:middle}
.figures .measured{white-space:normal}
.mark{display:inline-block;white-space:nowrap;font-weight:600;font-size:.84em;padding:.02em .5em;border-radius:.7em;background:var(--page);color:var(--soft)}
.mark.good{background:var(--good-back);color:var(--good)}.mark.bad{background:var(--bad-back);color:var(--bad)}.mark.mixed{background:var(--mixed-back);color:var(--mixed)}
.measured{font-size:.82rem;color:var(--soft);font-style:italic;font-weight:400;white-space:nowrap}
.scroll{overflow-x:auto;margin:.6rem 0 1.1rem;border:1px solid var(--line);border-radius:.6rem;background:var(--card)}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.38rem .65rem;text-align:left;vertical-align:top}
thead th{font-size:.8rem;color:var(--soft);font-weight:600;border-bottom:1px solid var(--line);vertical-align:bottom}
tbody th{font-weight:600}
tbody tr+tr>*,tbody+tbody>tr:first-child>*{border-top:1px solid var(--line)}
td.number,th.number{text-align:right}td.number{white-space:nowrap}
th[scope=row],th[scope=rowgroup]{min-width:8.2rem}
.sub{font-weight:400;color:var(--soft)}
.heat{display:block;margin:-.2rem -.4rem;padding:.2rem .4rem;border-radius:.3rem;background:rgba(var(--heat),calc(var(--share)*.38))}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,23rem),1fr));gap:.9rem;margin:.8rem 0 1.2rem;align-items:start}
.gallery.small{grid-template-columns:repeat(auto-fill,minmax(min(100%,16.5rem),1fr))}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.85rem .9rem .7rem;min-width:0}
figure>svg{display:block;width:100%;height:auto;max-width:30rem}
figcaption{display:flex;flex-direction:column;gap:.15rem;margin-bottom:.4rem;font-size:.95rem}
.note,.foot,.legend{font-size:.83rem;color:var(--soft);font-weight:400}
.foot{margin:.3rem 0 0}
.legend{display:flex;flex-wrap:wrap;gap:.1rem .9rem;color:var(--ink)}
.sign{width:1.5rem;height:.75rem;vertical-align:-.06rem}
.sign .hollow{fill:var(--card);stroke-width:2}
details{margin:.5rem 0 .9rem}
summary{cursor:pointer;font-weight:600;font-size:.93rem;color:var(--blue)}
.stages{list-style:none;padding:0;margin:1rem 0;counter-reset:stage}
.stages>li{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--good);border-radius:.6rem;padding:.85rem 1rem .5rem;margin:.8rem 0}
.stages>li.failed{border-left-color:var(--bad)}.stages>li.continued{border-left-color:var(--mixed)}
.stages h3{margin:0;display:flex;flex-wrap:wrap;gap:.2rem .6rem;align-items:baseline}
.stages h3::before{counter-increment:stage;content:counter(stage);color:var(--soft);font-weight:500;min-width:1.1em}
.checks{list-style:none;margin:.5rem 0 .8rem;padding:0;font-size:.9rem}
.checks li{padding:.22rem 0}
.stages .scroll{background:none}.stages details{margin:.3rem 0 .5rem}
.steps{display:flex;flex-wrap:wrap;gap:.4rem .6rem;align-items:center;margin:.8rem 0;padding:0;list-style:none}
.steps li{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.4rem .8rem;font-weight:600}
.steps li+li::before{content:"then ";font-weight:400;color:var(--soft)}
footer{color:var(--soft);font-size:.85rem;border-top:1px solid var(--line);margin-top:2.5rem;padding-top:1rem}
@media (max-width:760px){
td{white-space:nowrap}
thead th{min-width:4.6rem}
th[scope=row],th[scope=rowgroup]{position:sticky;left:0;background:var(--card);min-width:6.6rem}
.figures{grid-template-columns:repeat(2,minmax(0,1fr));gap:.55rem}
.figures>div{padding:.6rem .7rem}.figures .big{font-size:1.42rem}
section{margin-top:1.2rem}
}
@media (min-width:1100px){
.page.contents{display:grid;grid-template-columns:11.5rem minmax(0,1fr);column-gap:2.4rem}
.contents>nav{grid-column:1;grid-row:1/span 2;position:sticky;top:0;align-self:start;max-height:100vh;overflow:auto;padding:2.6rem 0 1rem}
.contents>nav ol{flex-direction:column;gap:.1rem}.contents>nav a{border:0;background:none;padding:.25rem 0}
.contents>header,.contents>main{grid-column:2;min-width:0}
}`;

const PAPER = `
@page{size:A4;margin:14mm 13mm}
@media print{
:root,:root:root{color-scheme:light;${LIGHT};--page:#ffffff}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
body{font-size:10.5pt}
.page,.page.contents{display:block;max-width:none;padding:0}
.contents>nav{position:static;padding:0}nav ol{font-size:8.5pt}.contents>nav ol{flex-direction:row;gap:.2rem .9rem}
header{padding-top:.4rem}
p,li,h1,h3,h4,dt,dd,figcaption{overflow-wrap:anywhere}
h1{font-size:21pt}h2,h3,h4,summary,figcaption,h2+p{break-after:avoid}
section{margin-top:1rem;padding-top:1rem}
figure,.figures>div,.callout,tr,.steps{break-inside:avoid}
thead{display:table-header-group}
table{font-size:8.2pt}th,td{padding:.22rem .4rem}
th[scope=row],th[scope=rowgroup]{min-width:0}
.scroll{overflow:visible;break-inside:auto}
.gallery{grid-template-columns:1fr 1fr}.gallery.small{grid-template-columns:1fr 1fr 1fr}
.figures{grid-template-columns:repeat(3,1fr)}.figures .big{font-size:17pt}
summary{list-style:none;color:var(--ink)}details.screen{display:none}
details::details-content{content-visibility:visible;display:block;height:auto;opacity:1}
a{color:inherit;text-decoration:none}
}`;

export const STYLE = `${SCREEN}${PAPER}`.replaceAll(/\n+/gu, '\n').trim();
