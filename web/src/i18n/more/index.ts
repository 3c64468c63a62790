import { useLanguage } from "../index";
import { enMore } from "./en";
import { koMore, type More } from "./ko";

/** The texts of pages that are fetched when someone goes there, in the language in use. */
export function useMore(): More {
  return useLanguage()[0] === "en" ? enMore : koMore;
}
