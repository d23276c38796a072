import { expect, test } from "vitest";
import { placesOf } from "./sign-places";

test("who comes stands behind those who are there, and nobody moves when one of them goes", () => {
  const three = placesOf([], ["ana", "bo", "cy"], 8);
  expect(three).toEqual(["ana", "bo", "cy"]);
  const two = placesOf(three, ["ana", "cy"], 8);
  expect(two).toEqual(["ana", null, "cy"]);
  expect(placesOf(two, ["ana", "cy", "dan"], 8)).toEqual(["ana", "dan", "cy"]);
});

test("gaps at the end are given back", () => {
  expect(placesOf(["ana", null, "cy"], ["ana"], 8)).toEqual(["ana"]);
  expect(placesOf(["ana"], [], 8)).toEqual([]);
});

test("who found no place takes the one that is left", () => {
  const full = placesOf([], ["ana", "bo", "cy"], 2);
  expect(full).toEqual(["ana", "bo"]);
  expect(placesOf(full, ["bo", "cy"], 2)).toEqual(["cy", "bo"]);
});
