// Counts the words of a text and shows the most frequent ones.
// The same source compiles with Scala 2.11 and with Scala 3.
object Main {
  val text: String =
    "The quick brown fox jumps over the lazy dog. " +
      "The dog sleeps on, and the fox is gone before the dog wakes up."

  // How often each word occurs, whatever its case and punctuation; most frequent first.
  def countWords(text: String): List[(String, Int)] =
    text.toLowerCase
      .split("[^a-z]+")
      .toList
      .filter(_.nonEmpty)
      .groupBy(word => word)
      .map { case (word, found) => (word, found.length) }
      .toList
      .sortBy { case (word, times) => (-times, word) }

  def main(args: Array[String]): Unit = {
    println("Hello from Scala!")
    for ((word, times) <- countWords(text).take(5)) {
      val bar = "#" * times
      println(f"$word%8s $bar $times")
    }
  }
}
