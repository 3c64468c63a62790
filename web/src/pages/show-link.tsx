import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { queries } from "../api/queries";
import { useFormat } from "../i18n";
import { to } from "../routes";

/** Over a page's heading: which performance it is about, and the way to its show. */
export function ShowLink({ performance }: { performance: string }) {
  const format = useFormat();
  const about = useQuery(queries.performance(performance)).data;
  if (!about) return null;
  return (
    <Link href={to.show(about.show_id, performance)} className="font-semibold underline underline-offset-4">
      {format.text(about.title)} · {format.dateTime(about.starts_at)}
    </Link>
  );
}
