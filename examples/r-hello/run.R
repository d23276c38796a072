# Counts the words of a text and shows the most frequent ones.

text <- "
The quick brown fox jumps over the lazy dog.
The dog sleeps on, and the fox is gone before the dog wakes up.
"

# How often each word occurs, whatever its case and punctuation; most frequent first.
count_words <- function(text) {
  words <- tolower(unlist(strsplit(text, "[^A-Za-z]+")))
  sort(table(words[words != ""]), decreasing = TRUE)
}

cat("Hello from R!\n")
most <- head(count_words(text), 5)
for (word in names(most)) {
  cat(sprintf("%8s %s %d\n", word, strrep("#", most[[word]]), most[[word]]))
}
