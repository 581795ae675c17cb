import { BarChart, CustomChart, LineChart } from 'echarts/charts';
import { GridComponent, MarkLineComponent } from 'echarts/components';
import { init, use, type EChartsCoreOption } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { trusted, type Html } from '../html.js';
import { INK, LINE, SOFT } from './palette.js';

use([BarChart, CustomChart, LineChart, GridComponent, MarkLineComponent, SVGRenderer]);

/** Points of a drawing, of which a page makes as many pixels as it has room for. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Wide enough for names and a scale, and readable when a phone shrinks it to its width. */
export const WIDTH = 390;
/** Of several charts side by side. */
export const SMALL_WIDTH = 300;

export const FONT = { fontFamily: 'system-ui, sans-serif', fontSize: 13, color: INK };

/** The drawing's place, labels within. Text is measured without a font here, so names get some room to be wider in the reader's. */
export const GRID = { left: 24, right: 18, top: 10, bottom: 6, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' } as const;

export const VALUE_AXIS = {
  type: 'value',
  splitNumber: 4,
  axisLine: { show: false },
  axisTick: { show: false },
  splitLine: { showMinLine: false, showMaxLine: false, lineStyle: { color: LINE } },
} as const;

export const axisLabel = (formatter?: (value: number) => string) => ({ ...FONT, color: SOFT, fontSize: 12, hideOverlap: true, ...(formatter === undefined ? {} : { formatter }) });

/** Names on the left side, the first at the top. */
export const nameAxis = (names: readonly (string | { readonly value: string; readonly textStyle: object })[]) => ({
  type: 'category',
  inverse: true,
  data: [...names],
  axisLine: { show: false },
  axisTick: { show: false },
  axisLabel: { ...FONT, interval: 0, width: 150, overflow: 'truncate' },
});

/** What ECharts numbers anew in every chart of a process, or writes for scripts that are not there. */
const LEFT_OUT = / (?:ecmeta_\w+|class|pointer-events|xmlns(?::\w+)?|version|baseProfile)="[^"]*"/gu;
const STYLE = /<style\b[^>]*>.*?<\/style>/gsu;
const IDS = /\bzr\d+-/gu;

/**
 * A chart as SVG that fits its box. The same options give the same text in any process: ids are the chart's own.
 *
 * @param id distinct within the page: letters, digits and hyphens
 */
export const draw = (id: string, { width, height }: Size, option: EChartsCoreOption): Html => {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({ animation: false, backgroundColor: 'transparent', textStyle: FONT, ...option });
    const svg = chart
      .renderToSVGString()
      .replace(STYLE, '')
      .replaceAll(/<[^>]+>/gu, (tag) => tag.replaceAll(LEFT_OUT, '').replaceAll(IDS, `${id}-`))
      .replace(/^<svg width="[^"]*" height="[^"]*"/u, '<svg aria-hidden="true"')
      .replaceAll(/\n+/gu, '\n')
      .trim();
    return trusted(svg);
  } finally {
    chart.dispose();
  }
};
