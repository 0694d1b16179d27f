import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.avro.Conversions.DecimalConversion;
import org.apache.avro.Schema;
import org.apache.avro.data.TimeConversions.TimestampMicrosConversion;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Reads topics of prices from beginning to end with nothing of ours, and prints a line of JSON per record. */
public final class PlainReader {
    /** The Confluent wire format: a zero byte, the schema's id, the record; schemas by id from the registry. */
    static final class ConfluentAvro implements Deserializer<GenericRecord> {
        private final String registry;
        private final HttpClient http = HttpClient.newHttpClient();
        private final Map<Integer, Schema> schemas = new HashMap<>();
        private final GenericData data = new GenericData();

        ConfluentAvro(String registry) {
            this.registry = registry;
            data.addLogicalTypeConversion(new DecimalConversion());
            data.addLogicalTypeConversion(new TimestampMicrosConversion());
        }

        @Override
        public GenericRecord deserialize(String topic, byte[] bytes) {
            if (bytes == null) return null;
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            if (buffer.get() != 0) throw new IllegalStateException("not the Confluent wire format in " + topic);
            Schema schema = schemas.computeIfAbsent(buffer.getInt(), this::fetch);
            var decoder = DecoderFactory.get().binaryDecoder(bytes, 5, bytes.length - 5, null);
            try {
                return new GenericDatumReader<GenericRecord>(schema, schema, data).read(null, decoder);
            } catch (java.io.IOException error) {
                throw new IllegalStateException(error);
            }
        }

        private Schema fetch(int id) {
            try {
                var request = HttpRequest.newBuilder(URI.create(registry + "/schemas/ids/" + id)).build();
                var body = http.send(request, BodyHandlers.ofString()).body();
                return new Schema.Parser().parse(new ObjectMapper().readTree(body).get("schema").asText());
            } catch (java.io.IOException | InterruptedException error) {
                throw new IllegalStateException(error);
            }
        }
    }

    /** Arguments: brokers, registry, isolation level, topics. */
    public static void main(String[] args) throws Exception {
        Properties config = new Properties();
        config.put("bootstrap.servers", args[0]);
        config.put("isolation.level", args[2]);
        config.put("auto.offset.reset", "earliest");
        config.put("enable.auto.commit", "false");
        try (var reader = new KafkaConsumer<>(config, new StringDeserializer(), new ConfluentAvro(args[1]))) {
            List<TopicPartition> parts = new ArrayList<>();
            for (String topic : List.of(args).subList(3, args.length)) {
                reader.partitionsFor(topic).forEach(p -> parts.add(new TopicPartition(topic, p.partition())));
            }
            reader.assign(parts);
            reader.seekToBeginning(parts);
            var ends = reader.endOffsets(parts);
            while (parts.stream().anyMatch(part -> reader.position(part) < ends.get(part))) {
                for (var record : reader.poll(Duration.ofMillis(200))) {
                    System.out.println(new ObjectMapper().writeValueAsString(plain(record)));
                }
            }
        }
    }

    private static Map<String, Object> plain(ConsumerRecord<String, GenericRecord> record) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("topic", record.topic());
        line.put("partition", record.partition());
        line.put("key", record.key());
        if (record.value() != null) {
            GenericRecord meta = (GenericRecord) record.value().get("meta");
            GenericRecord money = (GenericRecord) record.value().get("amount");
            line.put("account", meta.get("account").toString());
            line.put("op", meta.get("op").toString());
            line.put("source_time", meta.get("source_time").toString());
            line.put("amount", money.get("amount").toString());
            line.put("currency", money.get("currency").toString());
        }
        Header header = record.headers().lastHeader("sluice");
        if (header != null) {
            ByteBuffer facts = ByteBuffer.wrap(header.value());
            line.put("format", facts.get());
            line.put("shard_seq", facts.getLong());
            line.put("event_id", HexFormat.of().formatHex(header.value(), 9, 25));
            line.put("late", (header.value()[25] & 1) != 0);
            line.put("unchanged", (header.value()[25] & 2) != 0);
        }
        return line;
    }
}
