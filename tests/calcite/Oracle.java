import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.TreeSet;
import org.apache.calcite.config.CalciteConnectionConfigImpl;
import org.apache.calcite.jdbc.CalciteSchema;
import org.apache.calcite.jdbc.JavaTypeFactoryImpl;
import org.apache.calcite.prepare.CalciteCatalogReader;
import org.apache.calcite.rel.type.RelDataType;
import org.apache.calcite.rel.type.RelDataTypeFactory;
import org.apache.calcite.schema.impl.AbstractSchema;
import org.apache.calcite.schema.impl.AbstractTable;
import org.apache.calcite.sql.SqlIdentifier;
import org.apache.calcite.sql.SqlNode;
import org.apache.calcite.sql.SqlNodeList;
import org.apache.calcite.sql.SqlOrderBy;
import org.apache.calcite.sql.fun.SqlStdOperatorTable;
import org.apache.calcite.sql.type.SqlTypeName;
import org.apache.calcite.sql.util.SqlShuttle;
import org.apache.calcite.sql.validate.IdentifierNamespace;
import org.apache.calcite.sql.validate.SqlAbstractConformance;
import org.apache.calcite.sql.validate.SqlValidator;
import org.apache.calcite.sql.validate.SqlValidatorNamespace;
import org.apache.calcite.sql.validate.SqlValidatorTable;

/**
 * Says which datasources a query reads, as Druid finds out: Calcite parses and validates, and every identifier that
 * has a namespace with a table of a two-part name counts (SqlResourceCollectorShuttle).
 *
 * <p>Arguments: the datasources that exist. Standard input: one JSON object a line, with `query` and, of an INSERT,
 * `clusteredBy`. Standard output: one a line, with `reads`, or with `refused` and why.
 */
final class Oracle {
  /** What DruidConformance allows beyond the default */
  private static final class Conformance extends SqlAbstractConformance {
    @Override public boolean isBangEqualAllowed() { return true; }
    @Override public boolean isSortByOrdinal() { return true; }
    @Override public boolean isSortByAlias() { return true; }
    @Override public boolean isGroupByAlias() { return false; }
    @Override public boolean isGroupByOrdinal() { return true; }
    @Override public boolean isHavingAlias() { return true; }
  }

  /** A datasource with the columns that all of them have */
  private static final class Datasource extends AbstractTable {
    @Override public RelDataType getRowType(RelDataTypeFactory types) {
      return types.builder()
          .add("dim1", types.createTypeWithNullability(types.createSqlType(SqlTypeName.VARCHAR, 100), true))
          .add("cnt", types.createTypeWithNullability(types.createSqlType(SqlTypeName.BIGINT), true))
          .build();
    }
  }

  private static final Conformance CONFORMANCE = new Conformance();
  private static final ObjectMapper JSON = new ObjectMapper();
  private final CalciteCatalogReader catalog;

  private Oracle(List<String> datasources) {
    CalciteSchema root = CalciteSchema.createRootSchema(false, false);
    CalciteSchema druid = root.add("druid", new AbstractSchema());
    datasources.forEach(name -> druid.add(name, new Datasource()));
    Properties properties = new Properties();
    properties.setProperty("caseSensitive", "true");
    catalog = new CalciteCatalogReader(root, Arrays.asList("druid"), new JavaTypeFactoryImpl(),
        new CalciteConnectionConfigImpl(properties));
  }

  private SqlNode parsed(JsonNode statement) throws Exception {
    SqlNode query = Setup.parser(statement.get("query").asText(), CONFORMANCE).parseStmt();
    JsonNode clusteredBy = statement.get("clusteredBy");
    return clusteredBy == null || clusteredBy.isNull() ? query : ordered(query, clusteredBy.asText());
  }

  /** DruidSqlParserUtils.convertClusterByToOrderBy */
  private static SqlNode ordered(SqlNode query, String items) throws Exception {
    SqlOrderBy order = (SqlOrderBy) Setup.parser("SELECT 1 FROM x ORDER BY " + items, CONFORMANCE).parseQuery();
    SqlNodeList list = order.orderList;
    if (!(query instanceof SqlOrderBy)) {
      return new SqlOrderBy(query.getParserPosition(), query, list, null, null);
    }
    SqlOrderBy limited = (SqlOrderBy) query;
    return new SqlOrderBy(query.getParserPosition(), limited.query, list, limited.offset, limited.fetch);
  }

  private TreeSet<String> reads(JsonNode statement) throws Exception {
    SqlValidator validator = Setup.validator(SqlStdOperatorTable.instance(), catalog, CONFORMANCE);
    SqlNode valid = validator.validate(parsed(statement));
    TreeSet<String> found = new TreeSet<>();
    valid.accept(new SqlShuttle() {
      @Override public SqlNode visit(SqlIdentifier id) {
        SqlValidatorNamespace namespace = validator.getNamespace(id);
        if (namespace != null && namespace.isWrapperFor(IdentifierNamespace.class)) {
          SqlValidatorTable table = namespace.getTable();
          if (table != null && table.getQualifiedName().size() == 2) {
            found.add(table.getQualifiedName().get(1));
          }
        }
        return super.visit(id);
      }
    });
    return found;
  }

  private ObjectNode answer(String line) {
    ObjectNode answer = JSON.createObjectNode();
    try {
      reads(JSON.readTree(line)).forEach(answer.putArray("reads")::add);
    } catch (Throwable refusal) {
      answer.removeAll();
      answer.put("refused", String.valueOf(refusal.getMessage()).split("\n")[0]);
    }
    return answer;
  }

  public static void main(String[] datasources) throws Exception {
    Oracle oracle = new Oracle(Arrays.asList(datasources));
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    PrintStream out = new PrintStream(System.out, false, "UTF-8");
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      out.println(oracle.answer(line));
    }
    out.flush();
  }
}
