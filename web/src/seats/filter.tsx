import { useFormat, useT } from "../i18n";
import { Button } from "../ui/button";
import type { SeatStore } from "./store";
import { useStoreVersion } from "./use-seats";

/** Prices as chips: what each category costs, what is left of it, and a filter. */
export function PriceFilter({
  store,
  chosen,
  choose,
}: {
  store: SeatStore;
  /** A category's place in the plan, or nothing for all. */
  chosen: number | undefined;
  choose: (category: number | undefined) => void;
}) {
  const t = useT();
  const format = useFormat();
  useStoreVersion(store);
  const free = store.freeByCategory();
  const used = new Set(store.venue.plan.seats.map(({ category }) => category));
  const categories = store.venue.plan.categories
    .map((category, index) => ({ ...category, index, price: store.venue.categoryPrice(index) }))
    .filter(({ index }) => used.has(index))
    .sort((a, b) => b.price - a.price);
  const chip = "flex min-h-11 items-center gap-2 rounded-full border-[1.5px] bg-panel px-4 text-sm whitespace-nowrap";
  const on = "border-ink font-bold";
  const off = "border-line hover:border-edge";
  return (
    <fieldset className="-mx-4 min-w-0 overflow-x-auto px-4 pb-1 [scrollbar-width:none] sm:mx-0 sm:px-0">
      <legend className="sr-only">{t.seatsPage.filter}</legend>
      <div className="flex w-max gap-2 sm:w-auto sm:flex-wrap">
        <button
          type="button"
          aria-pressed={chosen === undefined}
          onClick={() => choose(undefined)}
          className={`${chip} ${chosen === undefined ? on : off}`}
        >
          {t.seatsPage.filterAll}
        </button>
        {categories.map(({ index, name, color, price }) => (
          <button
            key={index}
            type="button"
            aria-pressed={chosen === index}
            onClick={() => choose(chosen === index ? undefined : index)}
            className={`${chip} ${chosen === index ? on : off}`}
          >
            <span
              aria-hidden="true"
              className="size-3.5 rounded-[5px_5px_2px_2px] border border-ink/25"
              style={{ background: color }}
            />
            {name}
            <b className="tnum">{format.won(price)}</b>
            <span className="tnum text-ink-2">
              {store.position === undefined ? "" : t.seatsPage.free(free[index] ?? 0)}
            </span>
          </button>
        ))}
      </div>
    </fieldset>
  );
}

/** How many want to sit side by side. */
export function TogetherStepper({
  value,
  max,
  onChange,
}: {
  value: number;
  max: number;
  onChange: (value: number) => void;
}) {
  const t = useT();
  return (
    <div className="flex items-center gap-2">
      <span className="text-sm font-semibold">{t.seatsPage.together}</span>
      <div className="flex items-center gap-1">
        <Button
          size="small"
          aria-label={t.seatsPage.fewer}
          disabled={value <= 1}
          onClick={() => onChange(value - 1)}
          className="w-11 px-0"
        >
          −
        </Button>
        <output aria-live="polite" className="tnum w-12 text-center font-bold">
          {t.seats(value)}
        </output>
        <Button
          size="small"
          aria-label={t.seatsPage.more}
          disabled={value >= max}
          onClick={() => onChange(value + 1)}
          className="w-11 px-0"
        >
          +
        </Button>
      </div>
    </div>
  );
}

/** What the tiles mean. */
export function Legend() {
  const t = useT();
  const states = ["free", "mine", "held", "paying", "sold"] as const;
  return (
    <section aria-label={t.seatsPage.legend}>
      <ul className="flex flex-wrap gap-x-4 gap-y-2 text-sm text-ink-2">
        {states.map((state) => (
          <li key={state} className="flex items-center gap-2">
            <span className="tile" data-small="true" data-state={state} aria-hidden="true">
              <b className="text-xs!">7</b>
            </span>
            {t.seatsPage.state[state]}
          </li>
        ))}
      </ul>
    </section>
  );
}
