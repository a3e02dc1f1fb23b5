import org.apache.calcite.avatica.util.Casing;
import org.apache.calcite.avatica.util.Quoting;
import org.apache.calcite.prepare.CalciteCatalogReader;
import org.apache.calcite.sql.SqlOperatorTable;
import org.apache.calcite.sql.parser.SqlParser;
import org.apache.calcite.sql.validate.SqlConformance;
import org.apache.calcite.sql.validate.SqlValidator;
import org.apache.calcite.sql.validate.SqlValidatorUtil;

/** Parser and validator of Calcite before 1.23, set up as Druid sets them up */
final class Setup {
  static SqlParser parser(String sql, SqlConformance conformance) {
    return SqlParser.create(sql, SqlParser.configBuilder()
        .setCaseSensitive(true).setUnquotedCasing(Casing.UNCHANGED).setQuotedCasing(Casing.UNCHANGED)
        .setQuoting(Quoting.DOUBLE_QUOTE).setConformance(conformance).build());
  }

  static SqlValidator validator(SqlOperatorTable operators, CalciteCatalogReader catalog, SqlConformance conformance) {
    SqlValidator validator =
        SqlValidatorUtil.newValidator(operators, catalog, catalog.getTypeFactory(), conformance);
    validator.setIdentifierExpansion(true);
    return validator;
  }
}
