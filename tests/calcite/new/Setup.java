import org.apache.calcite.avatica.util.Casing;
import org.apache.calcite.avatica.util.Quoting;
import org.apache.calcite.prepare.CalciteCatalogReader;
import org.apache.calcite.sql.SqlOperatorTable;
import org.apache.calcite.sql.parser.SqlParser;
import org.apache.calcite.sql.validate.SqlConformance;
import org.apache.calcite.sql.validate.SqlValidator;
import org.apache.calcite.sql.validate.SqlValidatorUtil;

/** Parser and validator of Calcite since 1.23, set up as Druid sets them up */
final class Setup {
  static SqlParser parser(String sql, SqlConformance conformance) {
    return SqlParser.create(sql, SqlParser.config()
        .withCaseSensitive(true).withUnquotedCasing(Casing.UNCHANGED).withQuotedCasing(Casing.UNCHANGED)
        .withQuoting(Quoting.DOUBLE_QUOTE).withConformance(conformance));
  }

  static SqlValidator validator(SqlOperatorTable operators, CalciteCatalogReader catalog, SqlConformance conformance) {
    return SqlValidatorUtil.newValidator(operators, catalog, catalog.getTypeFactory(),
        SqlValidator.Config.DEFAULT.withConformance(conformance).withIdentifierExpansion(true));
  }
}
