// What a shop's web page does with the types that are made of /openapi.json. It is compiled, not run.

import type { components, operations } from "./openapi";

type Product = components["schemas"]["ProductOut"];
type Batch = components["schemas"]["BatchCreate"];
type Problem = components["schemas"]["Problem"];
type Price = operations["get_product_price"]["responses"][200]["content"]["application/json"];
type Runs = operations["list_runs"]["parameters"]["query"];

export const batch: Batch = { sku: "BREAD-RYE-1", store: "main", lot: "", expiry_date: "2025-04-02", quantity: 24 };
export const failed: Runs = { status: ["failed", "lost"], limit: 10 };

export function label(product: Product, price: Price): string {
  // An amount is a text, so that nobody calculates with a float by mistake.
  const lowest: string = price.lowest_price;
  return `${product.name}: ${lowest} ${price.currency}`;
}

export function reasons(problem: Problem): string[] {
  return (problem.errors ?? []).map((error) => `${error.field ?? ""}: ${error.reason}`);
}

// @ts-expect-error An unknown field is refused by the types, as the API refuses it.
export const refused: Batch = { sku: "X", store: "main", lot: "", expiry_date: "2025-04-02", quantity: 1, colour: "red" };
