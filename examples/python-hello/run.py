"""Counts the words of a text and shows the most frequent ones."""

from collections import Counter

TEXT = """
The quick brown fox jumps over the lazy dog.
The dog sleeps on, and the fox is gone before the dog wakes up.
"""


def count_words(text):
    """How often each word occurs, whatever its case and punctuation."""
    words = (word.strip(".,;:!?").lower() for word in text.split())
    return Counter(word for word in words if word)


if __name__ == "__main__":
    print("Hello from Python!")
    for word, times in count_words(TEXT).most_common(5):
        print(f"{word:>8} {'#' * times} {times}")
