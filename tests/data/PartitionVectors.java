import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

/** Reads hex-encoded keys, one per line; prints key, Utils.murmur2 and the partition for 1, 3, 6, 12, 24 and 97 partitions. */
public class PartitionVectors {
    public static void main(String[] args) throws Exception {
        for (String line : Files.readAllLines(Path.of(args[0]), StandardCharsets.US_ASCII)) {
            byte[] key = HexFormat.of().parseHex(line);
            StringBuilder out = new StringBuilder(line).append(' ').append(Utils.murmur2(key));
            for (int count : new int[] {1, 3, 6, 12, 24, 97})
                out.append(' ').append(BuiltInPartitioner.partitionForKey(key, count));
            System.out.println(out);
        }
    }
}
