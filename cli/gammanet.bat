@echo off
rem Starts the gammanet command of an unpacked distribution on Windows.
rem Environment: JAVA_HOME           a JDK 22 or newer, where the distribution has no runtime of its own
rem              GAMMANET_JAVA_OPTS  more options for the JVM, such as -Xmx8g
setlocal EnableDelayedExpansion
set "root=%~dp0.."
if not exist "%root%\lib\modules" (
  echo gammanet: %root%\lib\modules is missing: this script belongs to an unpacked distribution. 1>&2
  exit /b 1
)
set "java=%root%\runtime\bin\java.exe"
if not exist "%java%" if defined JAVA_HOME set "java=%JAVA_HOME%\bin\java.exe"
if not exist "%java%" set "java=java.exe"
set "libraries="
for %%f in ("%root%\lib\libtorch\*.jar") do (
  if defined libraries (set "libraries=!libraries!;%%~ff") else (set "libraries=%%~ff")
)
"%java%" -Xlog:disable -XX:+UseParallelGC -XX:MaxNewSize=128m --enable-native-access=org.gammanet.torch ^
  %GAMMANET_JAVA_OPTS% -p "%root%\lib\modules" -cp "%libraries%" ^
  -m org.gammanet.cli/org.gammanet.cli.GammanetCommand %*
exit /b %ERRORLEVEL%
